/*
 * The roll of a recording: a file, named by HAK_ROLL, in which each process on hakmem has its name
 * until a session has been told of it. What stands there in the end was not recorded; so `hak
 * record` knows of children that the tracer could not follow. Mapped once by each program, shared
 * with the children that it forks, whatever becomes of their environment and user.
 *
 * Each place is its process's; taken and given without a lock. A roll that is full is passed by,
 * and says so.
 */
#ifndef HAKMEM_ROLL_H
#define HAKMEM_ROLL_H

/* How the process came to be. */
enum roll_way {
    ROLL_EXECUTED,
    ROLL_FORKED,
    ROLL_UNSEEN, /* by a clone() of its own: the tracer cannot follow */
};

/* From the constructor. */
void roll_begin(void);

/* In a child that shares its parent's roll. */
void roll_forked(enum roll_way way);

/* A session knows this process now. */
void roll_told(void);

#endif
