/// Brings a store to another format, a step at a time.
public protocol StoreMigrator: Sendable {
  /// Reads the format of the store, and changes nothing.
  func status() throws -> StoreFormat

  /// Brings the store to the latest format that this program knows. Each step is durable by itself.
  func up() throws -> StoreFormat

  /// Brings the store back to an earlier format. Each step is durable by itself.
  ///
  /// - Throws: `StoreError` with code `unknownFormat` when the earlier format cannot hold what is stored.
  func down(to format: Int) throws -> StoreFormat
}

/// Where a store stands among the formats.
public struct StoreFormat: Hashable, Sendable {
  /// The format of the store; 0 when there is none yet.
  public var current: Int
  /// The lowest format a program must know to work with the store; the same as `current` where nobody else may.
  public var lowest: Int
  /// The latest format this program knows.
  public var latest: Int
  /// What `up` would do, in order.
  public var pending: [String]

  public init(current: Int, lowest: Int? = nil, latest: Int, pending: [String]) {
    self.current = current
    self.lowest = lowest ?? current
    self.latest = latest
    self.pending = pending
  }
}
