import Glibc
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkStore
import TidemarkStoreSQLite
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// A daemon that is killed or stopped while it works.
  @Suite struct CrashTests {
    @Test func nothingAcknowledgedIsLostAndNothingIsAppliedTwiceOverThirtyKills() throws {
      let folder = try TemporaryFolder()
      var load = try Load(seed: makeSeed())
      for cycle in 0..<30 {
        let daemon = try DaemonProcess(folder: folder.path)
        try load.resolveUnknown(daemon.port)
        try load.checkAcknowledged(daemon.port)
        if cycle % 5 == 4 { try expectIntact(daemon.port) }
        try load.run(daemon.port, until: Int.random(in: 20...200, using: &load.maker.random)) { daemon.kill() }
        #expect(load.unknown.count > 0 || cycle > 0)
      }
      // After the last kill: the store as the crash left it, read without the daemon.
      let acknowledged = load.applied
      try expectStored(acknowledged, isAll: false, folder.path)
      let daemon = try DaemonProcess(folder: folder.path)
      try load.resolveUnknown(daemon.port)
      try load.checkAcknowledged(daemon.port)
      try expectIntact(daemon.port)
      #expect(try FramedConnection(port: daemon.port).space(.default).revision.rawValue == UInt64(load.applied.count))
      #expect(daemon.terminate() == 0)
      try expectStored(load.applied, isAll: true, folder.path)
      #expect(load.applied.count > 1_000)
    }

    @Test func aStopUnderLoadAnswersEveryAcceptedCall() throws {
      for signal in [SIGTERM, SIGINT] {
        let folder = try TemporaryFolder()
        let daemon = try DaemonProcess(folder: folder.path)
        var load = try Load(seed: makeSeed())
        try load.run(daemon.port, until: 150) { daemon.signal(signal) }
        #expect(daemon.waitForExit() == 0, "\(daemon.log)")
        // Every call that the server took was answered; the others were not executed.
        #expect(load.unansweredAccepted == 0)
        try expectStored(load.applied, isAll: true, folder.path)
        let again = try DaemonProcess(folder: folder.path)
        let notAccepted = Set(load.unknown.map(\.item.operation))
        try load.resolveUnknown(again.port)
        #expect(load.settled.allSatisfy { !notAccepted.contains($0.item.operation) || !$0.outcome.isReplay })
        try load.checkAcknowledged(again.port)
        #expect(again.terminate() == 0)
      }
    }

    private func expectIntact(_ port: Int) throws {
      let result = try FramedConnection(port: port).verify(.default)
      #expect(result.isDone)
      #expect(result.faults.isEmpty, "\(result.faults)")
    }

    /// Expects that the log holds exactly these writes, whole, and that the chain verifies.
    ///
    /// - Parameter isAll: false when writes of unknown outcome may be there, too.
    private func expectStored(_ applied: [Load.Settled], isAll: Bool, _ folder: String) throws {
      let store = try SQLiteStore.open(folder: folder)
      try store.openReader().read { snapshot in
        let space = try #require(try snapshot.space(named: .default))
        if isAll { #expect(space.revision.rawValue == UInt64(applied.count)) }
        for write in applied {
          let revision = try #require(write.outcome.revision)
          let entry = try #require(try snapshot.logEntry(at: revision, in: space.id))
          #expect(entry.change.operation == write.item.operation)
          #expect(entry.change.entity.key.id == write.item.id)
          #expect(entry.change.entity.version == write.outcome.version)
          let fields = try entry.change.entity.fields.decoded()
          for (name, value) in Load.written(write.item) { #expect(fields[name] == value) }
        }
        var versions: [EntityKey: UInt64] = [:]
        var revision = Revision.zero
        for row in try snapshot.logRows(after: .zero, in: space.id, limit: 1_000_000) {
          #expect(row.revision == revision.next)
          revision = row.revision
          guard case .intact(let entry) = row else {
            Issue.record("revision \(revision) is damaged")
            continue
          }
          versions[entry.change.entity.key, default: 0] += 1
          #expect(entry.change.entity.version.rawValue == versions[entry.change.entity.key])
        }
        #expect(revision == space.revision)
        var verifier = ChainVerifier(space: .default)
        while !verifier.isDone { #expect(try verifier.step(snapshot, limit: 1_000)) }
        #expect(verifier.faults.isEmpty, "\(verifier.faults)")
      }
    }
  }
}
