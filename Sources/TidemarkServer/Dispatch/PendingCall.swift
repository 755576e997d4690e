internal import TidemarkCore
internal import TidemarkTransport

/// A call that waits for another thread.
struct PendingCall {
  enum Kind {
    case other
    /// A write, with what its reply shows.
    case write(space: SpaceName, action: WriteAction, showsEntity: Bool)
    /// Many writes.
    case bulk(BulkWork)
  }

  let id: CallID
  let connection: any CallConnection
  var kind: Kind
  /// Who writes; `nil` for a call that writes no entities.
  var principal: PrincipalName?
  /// The attempt of the client, from 1; 0 when it did not say.
  var attempt: UInt32 = 0
}

/// Values under numbers that are found again without hashing. A number is used again only after its value was taken.
struct TicketTable<Value> {
  private var values: [Value?] = []
  private var free: [Int] = []

  mutating func insert(_ value: Value) -> UInt64 {
    if let index = free.popLast() {
      values[index] = value
      return UInt64(index)
    }
    values.append(value)
    return UInt64(values.count - 1)
  }

  mutating func remove(_ ticket: UInt64) -> Value? {
    guard let index = Int(exactly: ticket), values.indices.contains(index), let value = values[index] else { return nil }
    values[index] = nil
    free.append(index)
    return value
  }
}
