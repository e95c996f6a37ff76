// How the processes of a run find each other: the meeting point, and who has come to it.
#pragma once

#include <string>
#include <vector>

#include <torch/csrc/distributed/c10d/Store.hpp>

#include "muonlab/comm/identity.hpp"

namespace muonlab::comm {

// How messages call a process: "rank 2 on node7".
std::string name_of(int rank, const std::string& host);

// The part of a meeting point that belongs to one start of the processes (Identity::prefix).
c10::intrusive_ptr<c10d::Store> part_of(const c10::intrusive_ptr<c10d::Store>& store,
                                        const std::string& prefix);

// Opens the meeting point where this process keeps it, and connects to it. Throws base::Error where
// that fails within `meeting_s`, and Stopped where a signal comes first.
c10::intrusive_ptr<c10d::Store> find_meeting_point(const Identity& identity, double meeting_s);

// The names of all ranks, once all have come. Throws base::Error where they do not come within
// `meeting_s` or another one has said so by report_absence, and Stopped where a signal comes first,
// which the others then hear.
std::vector<std::string> meet_all(c10d::Store& store, const Identity& identity, double meeting_s);

// Ends the wait of those that are in meet_all: a process has ended, or leaves, and cannot be waited
// for. `what`: a sentence without its full stop.
void report_absence(c10d::Store& store, const std::string& what);

}  // namespace muonlab::comm
