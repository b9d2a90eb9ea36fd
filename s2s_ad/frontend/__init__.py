"""From source to typed IR: finding functions, reading types, lowering. The only part that imports
libcst.
"""
