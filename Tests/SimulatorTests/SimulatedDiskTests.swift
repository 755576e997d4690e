import Testing
import TidemarkTesting

@testable import TidemarkSimulator

/// What the disk of the simulator keeps and loses.
@Suite struct SimulatedDiskTests {
  private func write(_ text: String, _ disk: SimulatedDisk, _ name: String, at offset: Int = 0) throws -> SimulatedDisk.Answer {
    let file = try #require(disk.open(name, creates: true))
    return Array(text.utf8).withUnsafeBytes { disk.write($0, to: file, named: name, at: offset) }
  }

  private func text(_ disk: SimulatedDisk, _ name: String) -> String? {
    disk.files[name].map { String(decoding: $0.content, as: UTF8.self) }
  }

  @Test func whatWasSyncedSurvivesEveryPowerLoss() throws {
    var others: Set<String> = []
    for seed in UInt64(0)..<50 {
      let disk = SimulatedDisk(seed: seed)
      #expect(try write("safe", disk, "a") == .done)
      #expect(disk.sync(try #require(disk.files["a"]), named: "a") == .done)
      #expect(try write("lost", disk, "a", at: 4) == .done)
      disk.arm(.powerLoss, inSteps: 1)
      #expect(disk.open("b", creates: true) == nil)
      #expect(!disk.isRunning && disk.open("a", creates: true) == nil)
      disk.restart()
      let left = try #require(text(disk, "a"))
      #expect(left.hasPrefix("safe"))
      others.insert(left)
    }
    #expect(others.contains("safe") && others.contains("safelost"))
  }

  @Test func aKilledProcessLosesNothingThatWasWritten() throws {
    let disk = SimulatedDisk(seed: 1)
    #expect(try write("written", disk, "a") == .done)
    disk.arm(.kill, inSteps: 1)
    #expect(disk.sync(try #require(disk.files["a"]), named: "a") == .failed)
    disk.restart()
    #expect(text(disk, "a") == "written")
  }

  @Test func aDeletionThatWasNotSyncedMayComeToNothing() throws {
    var isBack: Set<Bool> = []
    for seed in UInt64(0)..<20 {
      let disk = SimulatedDisk(seed: seed)
      #expect(try write("old", disk, "a") == .done)
      #expect(disk.sync(try #require(disk.files["a"]), named: "a") == .done)
      #expect(disk.delete("a", isSynced: false) == .done)
      #expect(disk.delete("a", isSynced: false) == nil)
      disk.arm(.powerLoss, inSteps: 1)
      #expect(disk.open("b", creates: true) == nil)
      disk.restart()
      isBack.insert(text(disk, "a") == "old")
    }
    #expect(isBack == [true, false])
  }

  @Test func aFullDiskTakesNothingUntilThereIsRoom() throws {
    let disk = SimulatedDisk(seed: 1)
    #expect(try write("first", disk, "a") == .done)
    disk.arm(.full, inSteps: 2)
    #expect(try write("1", disk, "a") == .done)
    #expect(try write("2", disk, "a") == .full)
    #expect(try write("3", disk, "a") == .full)
    disk.disarm()
    #expect(try write("4", disk, "a") == .done)
    #expect(text(disk, "a") == "4irst")
  }

  @Test func oneStepFailsAndIsNotDone() throws {
    let disk = SimulatedDisk(seed: 1)
    #expect(try write("first", disk, "a") == .done)
    disk.arm(.ioError, inSteps: 1)
    #expect(try write("x", disk, "a") == .failed)
    #expect(disk.happened?.place == "writing 1 bytes at 0 of a, step 3")
    #expect(try write("y", disk, "a") == .done)
    #expect(text(disk, "a") == "yirst")
  }
}
