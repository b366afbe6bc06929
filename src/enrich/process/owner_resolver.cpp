// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/owner_resolver.hpp"

#include <cstring>

namespace sonde::enrich {
namespace {

bool recorded(const sonde_task& task) { return task.start_time_ns != 0; }

bool same_process(const sonde_task& a, const sonde_task& b) {
  return a.pid == b.pid && a.start_time_ns == b.start_time_ns;
}

Owner unknown(sonde_owner_reason reason) {
  Owner owner;
  owner.reason = reason;
  return owner;
}

// Of the task that used the socket last, or opened it when nobody has used it. That another process opened the listener
// of an accepted socket is no doubt about who uses it.
OwnerConfidence confidence_of(const sonde_socket_owner& raw, const sonde_task& task) {
  if (raw.method == SONDE_METHOD_TUPLE || raw.inherited == SONDE_INHERITED_ALL) return OwnerConfidence::low;
  if (task.evidence == SONDE_OWNER_HOLDS) return OwnerConfidence::medium;
  if (raw.inherited == SONDE_INHERITED_OPENER) return OwnerConfidence::high;
  return recorded(raw.opener) && !same_process(raw.opener, task) ? OwnerConfidence::medium : OwnerConfidence::high;
}

OwnerConfidence confidence_of_opener(const sonde_socket_owner& raw) {
  if (raw.method == SONDE_METHOD_TUPLE || raw.inherited != 0) return OwnerConfidence::low;
  return raw.opener.evidence == SONDE_OWNER_HOLDS ? OwnerConfidence::medium : OwnerConfidence::high;
}

OwnerMethod method_of(const sonde_socket_owner& raw, const sonde_task& task) {
  const auto method = static_cast<OwnerMethod>(raw.method);
  if (method != OwnerMethod::sk_storage && method != OwnerMethod::iter) return method;
  return task.evidence == SONDE_OWNER_HOLDS ? OwnerMethod::iter : OwnerMethod::sk_storage;
}

Owner owner_of(const sonde_socket_owner& raw, const sonde_task& task, OwnerConfidence confidence,
               ProcessTable& processes) {
  Owner owner;
  owner.method = method_of(raw, task);
  owner.confidence = confidence;
  owner.reason = SONDE_REASON_NONE;
  owner.evidence = static_cast<sonde_owner_evidence>(task.evidence);
  owner.pid = task.pid;
  owner.tid = task.tid;
  owner.uid = task.uid;
  owner.comm.assign(task.comm, ::strnlen(task.comm, sizeof(task.comm)));
  owner.process = processes.find(task);
  return owner;
}

}  // namespace

SocketOwner resolve_owner(const sonde_socket_owner& raw, ProcessTable& processes) {
  if (raw.method == SONDE_METHOD_NONE) return {unknown(static_cast<sonde_owner_reason>(raw.reason)), {}};
  const sonde_task& task = recorded(raw.user) ? raw.user : raw.opener;
  if (!recorded(task)) return {unknown(SONDE_REASON_NOT_RECORDED), {}};
  SocketOwner result{owner_of(raw, task, confidence_of(raw, task), processes), {}};
  if (recorded(raw.opener) && !same_process(raw.opener, task))
    result.opener = owner_of(raw, raw.opener, confidence_of_opener(raw), processes);
  return result;
}

}  // namespace sonde::enrich
