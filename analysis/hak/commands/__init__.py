"""One module a subcommand: prepare_parser(parser) declares its arguments, run(args) -> int does
it. Importing one must be cheap; what is heavy (bt2, rich) it imports where it is used."""
