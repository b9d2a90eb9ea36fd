"""How the reverse sweep gets values of loops and branches: what is kept, what is computed again.

`places.py` knows where a variable is computed and where it is needed; `choose.py` decides by a
minimum cut what is kept; `tapes.py` makes tapes and stacks; `edit.py` puts it all into the program.
"""
