// SIGINT, SIGTERM and SIGHUP ask the loop to save and leave; a second SIGINT leaves at once.
#pragma once

namespace muonlab::base {

// Installs the handlers and ignores SIGPIPE (a closed pipe is then an error of write). SIGHUP stays
// ignored if it was (nohup).
void install_signal_handlers();
int stop_requested();  // the number of the first signal that came, or 0
void clear_stop_request();
const char* signal_name(int number);  // "SIGINT"

}  // namespace muonlab::base
