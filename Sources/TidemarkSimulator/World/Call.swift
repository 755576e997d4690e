internal import TidemarkCore
internal import TidemarkTesting

/// A request of a client, as it is sent, perhaps several times.
struct Call {
  enum Kind {
    case write(items: [WriteItem], mode: BulkMode, validatesOnly: Bool)
    case read([EntityKey])
  }

  var number: Int
  var client: Int
  /// The place of the space among those of the simulation.
  var space: Int
  var kind: Kind
  var isTransfer = false
  var attempt = 1
  /// The latest revision that the client had been told of when it first sent the call.
  var knownRevision: UInt64 = 0

  /// In a few words for the trace.
  var summary: String {
    switch kind {
    case .read(let keys): "#\(number) read of \(keys.count) in space \(space)"
    case .write(let items, let mode, let validatesOnly):
      "#\(number) \(isTransfer ? "transfer" : "bulk") of \(items.count)\(mode == .atomic ? ", atomic" : "")"
        + "\(validatesOnly ? ", only asking" : "") in space \(space)"
    }
  }
}

/// What a client is answered.
enum Reply {
  case outcomes([Outcome])
  case entities(revision: UInt64, [EntityKey: BulkModel.State])
  /// Nothing was done, or it is unknown: to be sent again.
  case failed
}
