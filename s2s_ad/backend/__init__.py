"""From IR to the text of a module: which values get a line, what they are called, how they are
printed.
"""
