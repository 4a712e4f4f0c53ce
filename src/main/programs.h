/* The programs behind main(): each takes its own arguments and returns the exit status of the process. */
#ifndef MAIN_PROGRAMS_H
#define MAIN_PROGRAMS_H

/* The control plane: flags of api-and-cli.md 5.2, start-up of controllers.md 1.2. */
int controller_manager_main(int argc, char **argv);
/* The admission webhook: flags of api-and-cli.md 5.2. */
int webhook_main(int argc, char **argv);
/* Once a long-running program has settled: see memory.c. */
void memory_give_back(void);

#endif
