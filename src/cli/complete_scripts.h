/* Inside src/cli: the scripts that `completion` prints. @NAME@ stands for the program, @FUNCTION@ for its name in
 * names of functions. */
#ifndef CLI_COMPLETE_SCRIPTS_H
#define CLI_COMPLETE_SCRIPTS_H

extern const char complete_script_bash[], complete_script_fish[], complete_script_zsh[];

#endif
