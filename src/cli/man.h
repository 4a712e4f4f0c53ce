/* Inside src/cli: manual pages, made from the table of verbs when the program is built. */
#ifndef CLI_MAN_H
#define CLI_MAN_H

/* The hidden verb `__man [VERB [SUBVERB]]`: one page in the man macros on stdout; without words that of kubefedctl itself.
 * Returns the exit status: 0, or 1 for an unknown verb. */
int man_main(int n, char *const *words);

#endif
