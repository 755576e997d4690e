import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStoreSQLite
import TidemarkTesting
import TidemarkTestTraits

@testable import TidemarkSimulator

/// What a store shows after it was opened again, whatever step of the disk its process ended at.
@Suite(.ownThreads) struct RecoveryTests {
  private struct Machine {
    let disk: SimulatedDisk
    let vfs: SimulatedVFS
    private var options = SQLiteStoreOptions()

    init(seed: UInt64) {
      disk = SimulatedDisk(seed: seed)
      vfs = SimulatedVFS(disk)
      options.disk = .init(vfs: vfs.name) { [disk] in
        guard disk.syncFolder() == .done else { throw StoreError(.failed, "no sync") }
      }
    }

    func addSpace(_ name: String) throws {
      let writer = try SQLiteStore.open(folder: "disk", options: options).openWriter()
      _ = try writer.write { try $0.makeSampleSpace(name, seed: 1) }
    }

    func spaces() throws -> [String] {
      try SQLiteStore.open(folder: "disk", options: options).openReader().read { try $0.spaces().map(\.name.text) }
    }

    func losePower() throws {
      disk.arm(.powerLoss, inSteps: 1)
      #expect(disk.open("other", creates: true) == nil)
      disk.restart()
    }
  }

  @Test(arguments: [SimulatedDisk.Fault.kill, .ioError]) func whatARestartShowsSurvivesAPowerLoss(
    fault: SimulatedDisk.Fault
  ) throws {
    var shown: Set<Int> = []
    for seed in UInt64(0)..<10 {
      for step in 1...20 {
        let machine = Machine(seed: seed)
        try machine.addSpace("first")
        let steps = machine.disk.steps
        machine.disk.arm(fault, inSteps: step)
        do { try machine.addSpace("second") } catch { #expect(error is StoreError) }
        guard machine.disk.happened != nil else { break }
        if machine.disk.isRunning { machine.disk.beginProcess() } else { machine.disk.restart() }
        let before = try machine.spaces()
        try machine.losePower()
        #expect(try machine.spaces() == before, "seed \(seed), step \(steps + step)")
        shown.insert(before.count)
      }
    }
    #expect(shown == [1, 2])
  }

  @Test func aStoreOnAFullDiskOpensAndShowsWhatIsThere() throws {
    let machine = Machine(seed: 1)
    try machine.addSpace("first")
    machine.disk.arm(.full, inSteps: 1)
    #expect(try machine.spaces() == ["first"])
    #expect(throws: StoreError.self) { try machine.addSpace("second") }
    machine.disk.disarm()
    try machine.addSpace("second")
    #expect(try machine.spaces() == ["first", "second"])
  }
}
