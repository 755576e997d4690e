internal import Foundation
internal import TidemarkTesting

/// Several daemons on one store, which a test kills and starts again while clients on other threads call them.
///
/// `@unchecked Sendable`: `condition` protects `nodes` and `isStoreAway`; a process is started, and ended, by whoever has taken it out of there.
public final class Cluster: @unchecked Sendable {
  /// How many nodes there are, running or not.
  public let count: Int
  private let stores: [String]
  private let condition = NSCondition()
  private var nodes: [DaemonProcess?]
  private var isStoreAway = false

  /// Starts all nodes at once.
  ///
  /// - Parameter stores: for each node the URL by which it reaches the one store.
  public init(stores: [String]) throws {
    self.stores = stores
    let count = stores.count
    self.count = count
    nodes = Array(repeating: nil, count: count)
    let failures = Waiting<(any Error)?>()
    for node in 0..<count {
      Thread { [self] in
        do {
          try start(node)
          failures.put(nil)
        } catch { failures.put(error) }
      }.start()
    }
    for error in (0..<count).map({ _ in failures.take() }) { if let error { throw error } }
  }

  /// Starts a node that does not run, and returns when it is ready.
  public func start(_ node: Int) throws {
    let started = try DaemonProcess(store: stores[node])
    condition.lock()
    defer { condition.unlock() }
    nodes[node] = started
    condition.broadcast()
  }

  /// Ends a node without giving it any chance, and returns when it is gone.
  public func kill(_ node: Int) { take(node)?.kill() }

  /// Asks a node to stop, and returns its exit status; `nil` when it does not run.
  public func terminate(_ node: Int) -> Int32? { take(node)?.terminate() }

  /// Whether all nodes that were started and not ended still run.
  public var areRunning: Bool {
    condition.lock()
    defer { condition.unlock() }
    return nodes.allSatisfy { $0?.isRunning ?? true }
  }

  private func take(_ node: Int) -> DaemonProcess? {
    condition.lock()
    defer { condition.unlock() }
    defer { nodes[node] = nil }
    return nodes[node]
  }

  /// Says that the store cannot be reached while `body` runs, so that clients need not try all the time.
  public func withoutStore(_ body: () throws -> Void) rethrows {
    setStoreAway(true)
    defer { setStoreAway(false) }
    try body()
  }

  private func setStoreAway(_ isAway: Bool) {
    condition.lock()
    defer { condition.unlock() }
    isStoreAway = isAway
    condition.broadcast()
  }

  /// Where a node can be called: this one, another when it does not run, or the first that runs again when none does.
  ///
  /// - Parameter waitsForStore: whether to wait while the store cannot be reached.
  public func port(preferring node: Int, waitsForStore: Bool = false) -> (node: Int, port: Int) {
    condition.lock()
    defer { condition.unlock() }
    while waitsForStore, isStoreAway { condition.wait() }
    while true {
      for place in 0..<count {
        let candidate = (node + place) % count
        if let running = nodes[candidate] { return (candidate, running.port) }
      }
      condition.wait()
    }
  }

  /// A connection to a node that runs.
  public func connect(_ node: Int) throws -> FramedConnection { try FramedConnection(port: port(preferring: node).port) }
}
