internal import TidemarkCore
internal import TidemarkStore

/// Tells the writer's connection which operation ids certainly have no receipt, so that these are not looked up.
///
/// For each principal of a space it knows the highest id that had a receipt when it was first asked (the floor), and every id above
/// it that was given one since. An id that is above the floor and not among these has none: there is one writer, and it tells of each
/// receipt. Any other id may have one. Ids of UUID version 7 grow with time, so nearly all new ones are above the floor; for
/// others nothing is gained and nothing lost. A receipt that is removed leaves the answer true.
final class RecentOperations {
  private struct Owner: Hashable {
    var space: SpaceID
    var principal: Int64
  }

  private struct Window {
    /// `nil` when the principal had no receipts.
    var floor: OperationID?
    var above: Set<OperationID> = []

    mutating func add(_ receipts: [Receipt]) {
      for receipt in receipts { above.insert(receipt.operation) }
    }

    func mayHaveReceipt(_ operation: OperationID) -> Bool {
      guard let floor else { return above.contains(operation) }
      return operation <= floor || above.contains(operation)
    }
  }

  /// At most so many ids are kept, about 32 bytes each. Then all is forgotten, and the next question asks for the floors anew.
  private static let operationsMax = 16_384
  private static let ownersMax = 1_024

  private var windows: [Owner: Window] = [:]
  private var count = 0

  /// Those of the operations that may have a receipt, as positions in the list.
  ///
  /// - Parameter floor: reads the highest operation id of the principal that has a receipt.
  func suspects(
    _ operations: [OperationID], of principal: Int64, in space: SpaceID, floor: () throws -> OperationID?
  ) rethrows -> [Int] {
    let owner = Owner(space: space, principal: principal)
    let window: Window
    if let known = windows[owner] {
      window = known
    } else {
      if windows.count >= RecentOperations.ownersMax { forgetAll() }
      window = Window(floor: try floor())
      windows[owner] = window
    }
    return operations.indices.filter { window.mayHaveReceipt(operations[$0]) }
  }

  /// Takes note of a receipt that was inserted.
  func add(_ receipts: [Receipt], of principal: Int64, in space: SpaceID) {
    let owner = Owner(space: space, principal: principal)
    guard windows[owner] != nil else { return }
    count += receipts.count
    guard count <= RecentOperations.operationsMax else { return forgetAll() }
    windows[owner]?.add(receipts)
  }

  func forgetAll() {
    windows = [:]
    count = 0
  }
}
