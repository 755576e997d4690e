import Foundation
import NIOCore
import Testing
import TidemarkTesting

@testable import TidemarkTransport

/// Replays every file of `Tests/Fixtures/frames` against the server's state machine.
///
/// A line of a file is a comment (`#`), bytes from the client (`>`), bytes that the server must send (`<`), or the state of the
/// connection at the end (`=`): `open`, `close` or `close silently`.
struct FrameVectorTests {
  struct Vector: Sendable, CustomTestStringConvertible {
    var name: String
    var client: [UInt8] = []
    var server: [UInt8] = []
    var end = ""
    var testDescription: String { name }
  }

  static let vectors: [Vector] = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fixtures/frames")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".hex") }.sorted().map { name in
      var vector = Vector(name: name)
      let text = (try? String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)) ?? ""
      for line in text.split(separator: "\n") {
        let rest = line.dropFirst()
        switch line.first {
        case ">": vector.client += bytes(rest)
        case "<": vector.server += bytes(rest)
        case "=": vector.end = rest.trimmingCharacters(in: .whitespaces)
        default: break
        }
      }
      return vector
    }
  }()

  private static func bytes(_ hex: Substring) -> [UInt8] {
    let digits = hex.filter { !$0.isWhitespace }
    return stride(from: 0, to: digits.count, by: 2).compactMap { offset in
      let start = digits.index(digits.startIndex, offsetBy: offset)
      return UInt8(digits[start..<digits.index(start, offsetBy: 2)], radix: 16)
    }
  }

  private func replay(_ vector: Vector, cuts: [Int]) -> (output: [UInt8], end: String) {
    var server = ServerHarness()
    var start = 0
    for cut in cuts + [vector.client.count] where cut > start {
      server.feed(ByteBuffer(bytes: vector.client[start..<cut]))
      start = cut
    }
    let end = server.closedAfterWriting.map { $0 ? "close" : "close silently" } ?? "open"
    return (Array(server.output.readableBytesView), end)
  }

  @Test func thereAreVectors() {
    #expect(FrameVectorTests.vectors.count >= 60)
  }

  @Test(arguments: vectors) func vectorIsAnsweredAsItSays(_ vector: Vector) {
    let result = replay(vector, cuts: [])
    #expect(result.output == vector.server)
    #expect(result.end == vector.end)
  }

  @Test(arguments: vectors) func answerIsTheSameWhenEveryByteComesAlone(_ vector: Vector) {
    let result = replay(vector, cuts: Array(1..<max(2, vector.client.count)))
    #expect(result.output == vector.server)
    #expect(result.end == vector.end)
  }

  @Test(arguments: vectors) func answerIsTheSameForRandomSplits(_ vector: Vector) {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for _ in 0..<20 {
      let cuts = (0..<Int.random(in: 1...6, using: &random)).map { _ in
        Int.random(in: 0...vector.client.count, using: &random)
      }
      let result = replay(vector, cuts: cuts.sorted())
      #expect(result.output == vector.server, "seed \(seed)")
      #expect(result.end == vector.end, "seed \(seed)")
    }
  }

  /// Every vector, cut anywhere and garbled anywhere, must leave the process alive and the input bounded.
  @Test func garbledBytesNeverTrap() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("garbledBytesNeverTrap seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for vector in FrameVectorTests.vectors where !vector.client.isEmpty {
      for _ in 0..<100 {
        var server = ServerHarness()
        var bytes = vector.client
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let index = Int.random(in: 0..<bytes.count, using: &random)
          bytes[index] = UInt8.random(in: 0...255, using: &random)
        }
        server.feed(ByteBuffer(bytes: bytes))
        server.completeParked()
        server.advance(.seconds(700))
      }
    }
  }

  /// The fuzz row of the evidence: every type, length 0 to 64, random flags, aux and stream, in an open connection.
  @Test func everyTypeAndLengthIsJudgedWithoutATrap() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("everyTypeAndLengthIsJudgedWithoutATrap seed \(seed)")
    var random = SeededGenerator(seed: seed)
    var server = ServerHarness.open()
    for type in UInt8.min...UInt8.max {
      for length in 0...64 {
        if server.closedAfterWriting != nil { server = ServerHarness.open() }
        var bytes = ByteBuffer()
        bytes.writeInteger(UInt32(length))
        bytes.writeInteger(type < 0x80 ? type & 0x0F : type)
        bytes.writeInteger(UInt8.random(in: 0...15, using: &random))
        bytes.writeInteger(UInt16([0, 0, 40, 2, 50, 9, 0xFFFF].randomElement(using: &random) ?? 0))
        bytes.writeInteger(UInt32([0, 1, 1, 3, 5, 0x7FFF_FFFF, 0xFFFF_FFFF].randomElement(using: &random) ?? 0))
        bytes.writeBytes((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) })
        server.feed(bytes)
      }
    }
  }
}
