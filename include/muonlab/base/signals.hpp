// Signals that ask for an orderly end: SIGINT (Ctrl-C), SIGTERM, SIGHUP, what batch systems send
// before a time limit (SIGUSR1, SIGUSR2), SIGXCPU, which the kernel sends at a limit of processor
// time, and SIGALRM, which a time limit of our own sends.
#pragma once

namespace muonlab::base {

// Makes these signals ask the program to save and leave (stop_requested()); a second SIGINT leaves
// at once with exit code 130. They are unblocked, in case the program was started with one of them
// blocked; SIGHUP stays ignored if it was (nohup). SIGPIPE and SIGXFSZ are ignored, so that a
// closed pipe and a file at its size limit are errors of write. The first SIGINT prints
// `first_interrupt` to standard error at once; it must live as long as the program. Null: nothing
// is printed, for a process beside which another one speaks.
void install_signal_handlers(const char* first_interrupt);
// Asks for that orderly end by itself, so many seconds from now (SIGALRM); a later call replaces an
// earlier one. What is running then ends in its own time: a step, a save.
void stop_after(double seconds);
int stop_requested();  // the number of the first signal that came, or 0
void clear_stop_request();
const char* signal_name(int number);  // "SIGINT"; "time limit" for SIGALRM

}  // namespace muonlab::base
