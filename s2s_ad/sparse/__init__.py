"""Sparse Jacobians and Hessians: which entries may differ from zero, which directions show them
all, and the module that reads the entries off these directions.
"""
