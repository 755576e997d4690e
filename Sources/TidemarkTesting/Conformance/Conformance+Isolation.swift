internal import Foundation
internal import Synchronization
internal import TidemarkCore
internal import TidemarkStore

extension Conformance {
  static let isolationClaims: [Conformance] = [
    Conformance("a read during a write sees the state before it") { store in
      var script = try store.makeSpace("s")
      let before = script.record
      let key = try EntityKey.sample("note", "a")
      let entries = [script.make(.create, key)]
      try store.write { transaction in
        try transaction.extend(script, entries)
        try store.read { snapshot in
          try expectEqual(try snapshot.spaces(), [before], "spaces before the commit")
          try expectEqual(try snapshot.entities([key], in: before.id), [nil], "the entity before the commit")
        }
      }
      try expectEqual(try store.read { try $0.spaces() }, [script.record], "spaces after the commit")
    },
    Conformance("a read keeps its state while others commit") { store in
      var script = try store.makeSpace("s")
      let key = try EntityKey.sample("note", "a")
      try store.extend(&script) { [$0.make(.create, key)] }
      let before = script
      try store.read { snapshot in
        try expectEqual(try snapshot.spaces(), [before.record], "spaces at first")
        try store.extend(&script) { [$0.make(.delete, key)] }
        try store.idle()
        try expectEqual(try snapshot.spaces(), [before.record], "spaces after a commit")
        try expectEqual(try snapshot.entities([key], in: before.record.id), [before.entities[key]], "the entity after a commit")
        try expectEqual(try snapshot.logRows(after: .zero, in: before.record.id, limit: 9).count, 1, "rows after a commit")
      }
      try expectEqual(try store.read { try $0.spaces() }, [script.record], "spaces of the next read")
    },
    Conformance("readers on other threads see whole commits only, and never an older one than before") { store in
      var script = try store.makeSpace("s")
      let key = try EntityKey.sample("note", "a")
      let id = script.record.id
      let isDone = Mutex(false)
      let failure = Mutex<(any Error)?>(nil)
      let engine = try store.store()
      let readers = (0..<2).map { _ in
        let finished = DispatchSemaphore(value: 0)
        Thread {
          defer { finished.signal() }
          do {
            let reader = try engine.openReader()
            var seen = Revision.zero
            while !isDone.withLock({ $0 }) { seen = try checkWhole(reader, id, key, after: seen) }
          } catch { failure.withLock { $0 = error } }
        }.start()
        return finished
      }
      for round in 0..<100 {
        let change: ChangeKind = round == 0 ? .create : .update
        try store.extend(&script) { script in [script.make(change, key), script.make(.update, key), script.make(.update, key)] }
        if round % 10 == 0 { try store.idle() }
      }
      isDone.withLock { $0 = true }
      for reader in readers { reader.wait() }
      if let failure = failure.withLock({ $0 }) { throw failure }
    },
  ]

  /// Reads one state and checks that its parts belong together; every commit adds three changes.
  private static func checkWhole(
    _ reader: any StoreReader, _ id: SpaceID, _ key: EntityKey, after seen: Revision
  ) throws -> Revision {
    try reader.read { snapshot in
      guard let record = try snapshot.spaces().first else { throw ConformanceFailure(description: "the space vanished") }
      try expect(record.revision >= seen, "revision \(record.revision) was read after \(seen)")
      try expectEqual(record.revision.rawValue % 3, 0, "changes of half a commit")
      let entity = try snapshot.entities([key], in: id)[0]
      try expectEqual(entity?.revision ?? .zero, record.revision, "the entity's revision")
      try expectEqual(try snapshot.logRows(after: record.revision, in: id, limit: 1), [], "rows above the space's revision")
      return record.revision
    }
  }
}
