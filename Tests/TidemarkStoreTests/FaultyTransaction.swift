import TidemarkCore
import TidemarkStore
import TidemarkTesting

/// A transaction that passes everything on and throws for damaged entities.
final class FaultyTransaction: ForwardingTransaction {
  private let store: FaultyStore

  init(_ base: any StoreTransaction, _ store: FaultyStore) {
    self.store = store
    super.init(base)
  }

  override func entities(_ keys: [EntityKey], in space: SpaceID) throws -> [Entity?] {
    if case .damaged(let id)? = store.current, keys.contains(where: { $0.id.text == id }) {
      throw StoreError(.corrupt, "asked for by the test")
    }
    return try super.entities(keys, in: space)
  }
}
