"""The subcommands of `s2sad`, one file each: its options, and what it does with them."""
