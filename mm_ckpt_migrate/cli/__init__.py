"""The command line: parse, one library call, render, exit code. The only room that prints."""
