/* The kubefedctl command line (api-and-cli.md 3). */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* Runs one command. argv[0] is the name shown in usage (its directory is left out); argv ends with NULL and is only read.
 * Results go to stdout, everything else to stderr. Returns the exit status of the process: 0 success or help, 1 usage
 * error found while reading flags and the verb, 130 interrupted from the keyboard, 255 any error of a command
 * (api-and-cli.md 3.1). May be called again in the same process; everything it took is given back. */
int cli_main(int argc, char **argv);

#endif
