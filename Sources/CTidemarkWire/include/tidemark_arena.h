#ifndef TIDEMARK_ARENA_H
#define TIDEMARK_ARENA_H
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/* An allocator for protobuf-c that hands out memory of one growing arena, frees it all at once, and refuses to grow past a cap.
   Not safe for use by two threads at once. */
typedef struct tidemark_arena tidemark_arena;

/* Makes an arena that hands out at most bytes_max bytes between two resets. NULL when out of memory. */
tidemark_arena *tidemark_arena_create(size_t bytes_max);
/* Frees the arena and everything it handed out. */
void tidemark_arena_destroy(tidemark_arena *arena);
/* Takes back everything handed out. Keeps the first block for reuse. */
void tidemark_arena_reset(tidemark_arena *arena);
/* The allocator to pass to protobuf-c. Valid until the arena is destroyed. */
ProtobufCAllocator *tidemark_arena_allocator(tidemark_arena *arena);
/* 1 when an allocation was refused because of the cap since the last reset. */
int tidemark_arena_is_exhausted(const tidemark_arena *arena);

#endif
