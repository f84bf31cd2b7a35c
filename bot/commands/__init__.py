"""The subcommands of `nuanyang`, one file a group."""
