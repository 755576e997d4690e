/* SwiftPM links each program with its own name for main; both start libFuzzer. */
int tidemark_fuzz_messages_main(int argc, char **argv);
int tidemark_fuzz_frames_main(int argc, char **argv);
