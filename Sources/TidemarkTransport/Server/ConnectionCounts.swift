import Synchronization

/// Counts the connections of a listener, in total and for each address.
final class ConnectionCounts: Sendable {
  private struct Counts {
    var total = 0
    var byAddress: [String: Int] = [:]
    var nextID: UInt64 = 1
  }

  private let counts = Mutex(Counts())
  private let connectionsMax: Int
  private let connectionsPerAddressMax: Int

  init(limits: ServerLimits) {
    connectionsMax = limits.connectionsMax
    connectionsPerAddressMax = limits.connectionsPerAddressMax
  }

  /// Admits a connection and numbers it; `nil` when a limit is reached. `release` must follow.
  func admit(_ address: String) -> UInt64? {
    counts.withLock { counts in
      let sameAddress = counts.byAddress[address] ?? 0
      guard counts.total < connectionsMax, sameAddress < connectionsPerAddressMax else { return nil }
      counts.total += 1
      counts.byAddress[address] = sameAddress + 1
      counts.nextID += 1
      return counts.nextID - 1
    }
  }

  func release(_ address: String) {
    counts.withLock { counts in
      counts.total -= 1
      let left = (counts.byAddress[address] ?? 1) - 1
      counts.byAddress[address] = left > 0 ? left : nil
    }
  }

  /// Connections now.
  var total: Int { counts.withLock { $0.total } }
}
