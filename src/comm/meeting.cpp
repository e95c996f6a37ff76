#include "comm/meeting.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <thread>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/process.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/comm/communicator.hpp"

namespace muonlab::comm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMoment(100);   // between two looks, so also until a signal is heard
constexpr milliseconds kAnswer(2000);  // of an address; a lost packet is sent again after a second
constexpr const char* kAbsentKey = "absent";

std::string host_key(int rank) { return base::str("host/", rank); }

std::string place_of(const Identity& identity) {
  return base::str(identity.address, ":", identity.port);
}

void throw_if_stopped() {
  if (const int number = base::stop_requested(); number != 0) {
    throw Stopped(base::str(base::signal_name(number),
                            "  stopped while the processes waited for each other; nothing of the "
                            "run has begun"));
  }
}

[[noreturn]] void throw_unreachable(const Identity& identity, const std::string& what) {
  throw base::Error("the meeting point of the processes, ", place_of(identity), ", ", what,
                    ". MASTER_ADDR and MASTER_PORT name it: the machine of rank 0 and a port that "
                    "is free there");
}

bool connects(const addrinfo& at) {
  const int socket =
      ::socket(at.ai_family, at.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at.ai_protocol);
  if (socket < 0) return false;
  int failure = ::connect(socket, at.ai_addr, at.ai_addrlen) == 0 ? 0 : errno;
  pollfd ready{socket, POLLOUT, 0};
  socklen_t size = sizeof failure;
  if (failure == EINPROGRESS && ::poll(&ready, 1, static_cast<int>(kAnswer.count())) == 1)
    ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &failure, &size);
  ::close(socket);
  return failure == 0;
}

// LibTorch's store waits for an address without an ear for signals, for up to three times its time
// limit, and logs each failure with a stack. It is therefore only asked once somebody listens.
bool somebody_listens(const Identity& identity) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(identity.port);
  if (::getaddrinfo(identity.address.c_str(), port.c_str(), &hints, &found) != 0) return false;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (connects(*at)) return true;
  }
  return false;
}

}  // namespace

std::string name_of(int rank, const std::string& host) {
  return base::str("rank ", rank, " on ", host);
}

c10::intrusive_ptr<c10d::Store> part_of(const c10::intrusive_ptr<c10d::Store>& store,
                                        const std::string& prefix) {
  return c10::make_intrusive<c10d::PrefixStore>("muonlab" + prefix, store);
}

c10::intrusive_ptr<c10d::Store> find_meeting_point(const Identity& identity, double meeting_s) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(identity.port);
  options.isServer = identity.rank == 0 && !identity.launcher_keeps_store;
  options.waitWorkers = false;
  options.timeout = milliseconds(static_cast<int64_t>(meeting_s * 1000));
  const base::Stopwatch watch;
  while (!options.isServer && !somebody_listens(identity)) {
    throw_if_stopped();
    if (watch.seconds() > meeting_s)
      throw_unreachable(identity,
                        "does not answer (waited " + base::human_duration(meeting_s) + ")");
    std::this_thread::sleep_for(kMoment);
  }
  try {
    return part_of(c10::make_intrusive<c10d::TCPStore>(identity.address, options), identity.prefix);
  } catch (const std::exception& failure) {
    throw_unreachable(identity,
                      base::str(options.isServer ? "could not be opened" : "does not answer", " (",
                                base::split(failure.what(), '\n')[0], ")"));
  }
}

std::vector<std::string> meet_all(c10d::Store& store, const Identity& identity, double meeting_s) {
  const base::Stopwatch watch;
  std::vector<std::string> names;
  try {
    store.set(host_key(identity.rank), base::host_name());
    while (static_cast<int>(names.size()) < identity.size) {
      const int rank = static_cast<int>(names.size());
      if (store.check({host_key(rank)})) {
        names.push_back(name_of(rank, store.get_to_str(host_key(rank))));
        continue;
      }
      throw_if_stopped();
      if (store.check({kAbsentKey})) {
        throw base::Error(store.get_to_str(kAbsentKey), "; not all processes had met, so rank ",
                          identity.rank, " stops too");
      }
      if (watch.seconds() > meeting_s) {
        throw base::Error("rank ", rank, " of ", identity.size, " processes has not come to ",
                          place_of(identity), " within ", base::human_duration(meeting_s));
      }
      std::this_thread::sleep_for(kMoment);
    }
  } catch (const Stopped&) {
    report_absence(store, name_of(identity.rank, base::host_name()) + " was asked to stop");
    throw;
  } catch (const base::Error&) {
    throw;
  } catch (const std::exception&) {
    throw_unreachable(identity, "does not answer any more; the process that keeps it has ended");
  }
  return names;
}

void report_absence(c10d::Store& store, const std::string& what) {
  try {
    store.set(kAbsentKey, what);
  } catch (const std::exception&) {  // then nobody waits there
  }
}

}  // namespace muonlab::comm
