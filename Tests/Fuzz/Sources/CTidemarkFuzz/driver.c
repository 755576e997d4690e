#include "CTidemarkFuzz.h"
#include <stddef.h>
#include <stdint.h>

/* llvm.org/docs/LibFuzzer.html, "Using libFuzzer as a library" */
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int tidemark_fuzz_messages_main(int argc, char **argv) { return LLVMFuzzerRunDriver(&argc, &argv, LLVMFuzzerTestOneInput); }
int tidemark_fuzz_frames_main(int argc, char **argv) { return LLVMFuzzerRunDriver(&argc, &argv, LLVMFuzzerTestOneInput); }
