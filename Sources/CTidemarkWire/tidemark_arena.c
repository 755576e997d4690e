#include "tidemark_arena.h"
#include <stdint.h>
#include <stdlib.h>

enum { first_block_bytes = 16 * 1024, alignment = 16 };

typedef struct block {
  struct block *next;
  size_t size, used;
  uint8_t *bytes;
} block;

struct tidemark_arena {
  ProtobufCAllocator allocator;
  block *first, *current;
  size_t bytes_max, handed_out;
  int is_exhausted;
};

static block *make_block(size_t size) {
  block *b = malloc(sizeof(block));
  if (!b) return NULL;
  b->bytes = malloc(size);
  if (!b->bytes) {
    free(b);
    return NULL;
  }
  b->next = NULL;
  b->size = size;
  b->used = 0;
  return b;
}

static void free_blocks(block *b) {
  while (b) {
    block *next = b->next;
    free(b->bytes);
    free(b);
    b = next;
  }
}

static void *arena_alloc(void *data, size_t size) {
  tidemark_arena *arena = data;
  if (size > arena->bytes_max) {
    arena->is_exhausted = 1;
    return NULL;
  }
  size_t rounded = (size + alignment - 1) & ~(size_t)(alignment - 1);
  if (rounded > arena->bytes_max - arena->handed_out) {
    arena->is_exhausted = 1;
    return NULL;
  }
  block *b = arena->current;
  if (rounded > b->size - b->used) {
    size_t wanted = b->size * 2 < rounded ? rounded : b->size * 2;
    block *grown = make_block(wanted);
    if (!grown) return NULL;
    b->next = grown;
    arena->current = b = grown;
  }
  void *result = b->bytes + b->used;
  b->used += rounded;
  arena->handed_out += rounded;
  return result;
}

static void arena_free(void *data, void *pointer) {
  (void)data;
  (void)pointer; /* Everything is freed at once by tidemark_arena_reset. */
}

tidemark_arena *tidemark_arena_create(size_t bytes_max) {
  tidemark_arena *arena = calloc(1, sizeof(tidemark_arena));
  if (!arena) return NULL;
  arena->first = arena->current = make_block(first_block_bytes);
  if (!arena->first) {
    free(arena);
    return NULL;
  }
  arena->bytes_max = bytes_max & ~(size_t)(alignment - 1);
  arena->allocator.alloc = arena_alloc;
  arena->allocator.free = arena_free;
  arena->allocator.allocator_data = arena;
  return arena;
}

void tidemark_arena_destroy(tidemark_arena *arena) {
  if (!arena) return;
  free_blocks(arena->first);
  free(arena);
}

void tidemark_arena_reset(tidemark_arena *arena) {
  free_blocks(arena->first->next);
  arena->first->next = NULL;
  arena->first->used = 0;
  arena->current = arena->first;
  arena->handed_out = 0;
  arena->is_exhausted = 0;
}

ProtobufCAllocator *tidemark_arena_allocator(tidemark_arena *arena) { return &arena->allocator; }

int tidemark_arena_is_exhausted(const tidemark_arena *arena) { return arena->is_exhausted; }
