"""Passes: `Function -> Function`, one file each; the file, the function and the name in logs are
one word.
"""
