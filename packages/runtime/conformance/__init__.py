"""The one suite that every framework of the runtime passes, each with its own packages. A room of tests: no wheel has it."""

DOWNLOADS = ("keras", "torch")  # their packages take minutes to install: these are tried with -m slow
