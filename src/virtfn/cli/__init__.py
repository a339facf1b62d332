"""The command line: parse, call one service, render. Only this room prints."""
