/*
 * Who may be led when: the election and changes of the KubeFedConfig as one small machine, apart from everything that it starts and
 * stops. Pure. A change of the election gives the lock back, which takes a moment (5 s at most), and further changes may come meanwhile:
 * until the lock is held again, nothing is led.
 */
#ifndef MAIN_LEADERSHIP_H
#define MAIN_LEADERSHIP_H

#include <stdbool.h>

struct leadership {
    bool electing;  /* there is an election, won or not */
    bool leading;   /* we hold the lock, and may act on it */
    bool releasing; /* the lock is being given back, to ask for another one */
};

/* The election began. */
void leadership_began(struct leadership *l);
/* It was won: what there is is led from now on. */
void leadership_won(struct leadership *l);

struct leadership_change {
    bool lead;    /* what begins anew with the changed settings is led at once */
    bool release; /* and the election is to end: give the lock back, then call leadership_released */
};
/* The settings changed; same_election: not those of the election. */
struct leadership_change leadership_changed(struct leadership *l, bool same_election);
/* The lock was given back, or could not be: another election may begin. */
void leadership_released(struct leadership *l);
/* The process is to end; true: there is an election to end (then the rest), false: one is being ended already, or there is none. */
bool leadership_ends(struct leadership *l);

#endif
