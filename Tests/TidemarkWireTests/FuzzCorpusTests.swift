import Foundation
import Testing
import TidemarkCore

@testable import TidemarkWire

/// Replays the fuzzer's corpus through the functions that it fuzzes.
@Suite struct FuzzCorpusTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/fuzz")

  @Test(arguments: FuzzTarget.allCases)
  func everyFileOfTheCorpusHolds(target: FuzzTarget) throws {
    let arena = MessageArena()
    let folder = FuzzCorpusTests.folder.appendingPathComponent(target.rawValue)
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    #expect(!files.isEmpty)
    for file in files {
      let broken = [UInt8](try Data(contentsOf: file)).withUnsafeBytes { target.run($0, using: arena) }
      #expect(broken == nil, "\(file.lastPathComponent)")
    }
  }

  @Test func arbitraryBytesHoldForEveryTarget() {
    var random = RandomValues(seed: freshSeed("arbitraryBytesHoldForEveryTarget"))
    let arena = MessageArena()
    for target in FuzzTarget.allCases {
      for _ in 0..<300 {
        let broken = random.bytes(200).withUnsafeBytes { target.run($0, using: arena) }
        #expect(broken == nil, "\(target)")
      }
    }
  }
}
