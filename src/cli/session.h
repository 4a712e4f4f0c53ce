/*
 * Inside src/cli: one run of the command line. It owns the event loop, knows what was done so far, shows progress and
 * handles Ctrl-C. Verbs are sequential: every request blocks on the loop.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <yyjson.h>

#include "cli/verb.h"
#include "kube/client.h"

struct cli {
    const char *name; /* of the program, for messages */
    const struct verb *verb;
    struct common_options common;
    struct member_options member;
    bool terminal;        /* stderr is one */
    bool coloured;        /* stdout takes colours (cli/style.h) */
    int success;          /* exit status when all went well, 0 unless a verb says otherwise */
    bool interrupted;     /* SIGINT came */
    struct loop *loop;    /* NULL until cli_loop() */
    struct buf steps;     /* one line per change made so far */
    char *unsure;         /* owned; the change that was under way when SIGINT came, or NULL */
    struct buf hints;     /* lines to print below an error */
    struct buf out;       /* what is not yet on stdout */
    struct buf plan;      /* YAML documents to print at the end of a dry run */
    bool out_failed;      /* stdout does not take it */
    char *progress;       /* what is being done, or NULL */
    uint64_t progress_ms; /* since when */
    bool progress_shown;  /* there is a progress line on the terminal */
    struct loop_timer progress_timer;
};

void cli_init(struct cli *cli, const char *name);
void cli_done(struct cli *cli);

/* The loop, made at the first call. SIGINT then sets `interrupted` and ends the running request with -ECANCELED; a second
 * one ends the process with status 130. */
int cli_loop(struct cli *cli, struct loop **ret, struct error **err);
/* Waits on the loop. -ECANCELED when interrupted. */
int cli_wait(struct cli *cli, uint64_t ms, struct error **err);

/* Says what is being done: logged at -v=2; on a terminal shown as a line that goes away, when the verb takes longer than a
 * second. */
void cli_progress(struct cli *cli, const char *fmt, ...) _printf_(2, 3);
void cli_progress_clear(struct cli *cli);
/* What was being done is over; the line goes away until the next cli_progress(). */
void cli_progress_end(struct cli *cli);
/* Notes a change that was made: logged at -v=2, listed when the verb fails or is interrupted later. */
void cli_did(struct cli *cli, const char *fmt, ...) _printf_(2, 3);
/* Adds a line to be printed below the error that ends the verb. */
void cli_hint(struct cli *cli, const char *fmt, ...) _printf_(2, 3);
/* A line on stderr for people, at once. */
void cli_note(struct cli *cli, const char *fmt, ...) _printf_(2, 3);
/* Log lines that must not collide with the progress line. */
#define cli_info(cli, ...) (cli_progress_clear(cli), log_info(__VA_ARGS__))
#define cli_warning(cli, ...) (cli_progress_clear(cli), log_warning(__VA_ARGS__))

/* Lines and documents on stdout. A failure to write is remembered and ends the program with an error. */
void cli_print(struct cli *cli, const char *fmt, ...) _printf_(2, 3);
/* One YAML document as api-and-cli.md 3.1 says: "---" before it, status and metadata.creationTimestamp left out. */
void cli_print_yaml(struct cli *cli, yyjson_val *object);
void cli_print_yaml_mut(struct cli *cli, const yyjson_mut_val *object);
/* The same at the end of a successful run: what a dry run would have written. */
void cli_plan(struct cli *cli, const yyjson_mut_val *object);
/* 0, or -EIO when stdout did not take everything. */
int cli_flush(struct cli *cli);
/* " (dry run)" or "". */
const char *cli_dry(const struct cli *cli);

/* A whole file, or stdin for "-". At most 64 MiB. Messages as `open x: no such file or directory`. */
int cli_read_file(const char *path, struct buf *ret, struct error **err);

/* Checks "-o": only "" and "yaml" are values. */
int cli_check_output(const char *output, struct error **err);

enum cli_output {
    OUTPUT_TABLE = 1,
    OUTPUT_WIDE = 2,
    OUTPUT_NAME = 4,
    OUTPUT_JSON = 8,
    OUTPUT_YAML = 16,
};
/* "-o" of a verb that takes several: "" is the table. allowed: the bits of enum cli_output that may be chosen besides. */
int cli_output_parse(const char *output, unsigned allowed, enum cli_output *ret, struct error **err);
/* A document on stdout as JSON or YAML. */
void cli_print_document(struct cli *cli, enum cli_output format, const yyjson_mut_doc *doc);
/* Text as it is. */
void cli_print_text(struct cli *cli, struct str text);

#endif
