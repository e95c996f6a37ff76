// The processes that work on one run, and what they say to each other.
//
// All of them call the same functions in the same order; a call returns when this process has what
// it asked for. One process is the plain case, in which every call does nothing. Tensors are
// contiguous; on the CPU they travel by Gloo, on a GPU, after connect_device(), by NCCL, enqueued
// on the current stream without waiting for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/base/error.hpp"
#include "muonlab/comm/identity.hpp"

namespace muonlab::comm {

// Another process is gone, does not answer, or has said why it left; the text names its rank and
// its host. Work that all of them share cannot continue.
class Lost : public base::Error {
 public:
  Lost(bool is_told, const std::string& text) : Error(text), is_told_(is_told) {}
  // Whether the other process gave the reason, and so prints it itself.
  bool is_told() const { return is_told_; }

 private:
  bool is_told_;
};

// A signal asked this process to stop while it waited for the others to come; nothing has begun.
class Stopped : public base::Error {
 public:
  using Error::Error;
};

// A tensor that goes to `peer`, or that is filled with what comes from it.
struct Message {
  at::Tensor tensor;
  int peer;
};

class Communicator {
 public:
  Communicator();  // one process
  // Meets the other processes and connects to each. A process that then dies or does not answer
  // for `patience_s` seconds (stopped, its host cut off) stops this one: the next call throws Lost;
  // where a call waits already, the process prints the reason and ends with exit code
  // base::exit_code::kError. Throws base::Error where not all come within `meeting_s`, where one
  // of them is known to have ended before, and where this build has no Gloo; Stopped where
  // base::stop_requested() comes true before all have come.
  Communicator(const Identity& identity, double patience_s, double meeting_s);
  ~Communicator();
  Communicator(Communicator&&) noexcept;
  Communicator& operator=(Communicator&&) noexcept;

  // Connects the GPUs of the processes, each of which has chosen one of its own. REQUIRES: the CUDA
  // plugin is loaded. Throws base::Error where NCCL cannot connect them.
  void connect_device();

  int rank() const;
  int size() const;
  int local_size() const;  // on this machine
  bool alone() const { return size() == 1; }
  // "rank 2 on node7".
  std::string name(int rank) const;

  // All messages at once. What this process sends to another in the order of `sends` is what the
  // other receives from it in the order of its `receives`.
  void exchange(const std::vector<Message>& sends, const std::vector<Message>& receives);
  // [size, ...]: the tensor of every process, by rank. All have its shape and dtype.
  at::Tensor all_gather(const at::Tensor& own);
  std::vector<std::string> all_gather(const std::string& own);
  // What rank 0 has, everywhere.
  void broadcast(const at::Tensor& tensor);
  std::string broadcast(const std::string& text);
  // The sum over all processes, in an order that the library chooses and that depends on their
  // number.
  void all_reduce(const at::Tensor& tensor);
  void barrier();

  // Says why this process stops, for those that wait for it; later calls do nothing.
  void leave(const std::string& reason);
  // Bytes that this process has sent by exchange and all_gather.
  int64_t bytes_sent() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Why this build cannot connect processes, with the remedy; empty where it can.
std::string missing();

}  // namespace muonlab::comm
