import CTidemarkZlib
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

/// Messages that are small to send and want to be large to receive.
enum AttackBytes {
  /// A length-delimited field, nested in itself.
  static func nested(depth: Int) -> [UInt8] {
    var reversed: [UInt8] = []
    for _ in 0..<depth {
      let length = reversed.count
      // Built from the inside, backwards: the length's varint, then the tag of field 1.
      reversed += varint(UInt64(length)).reversed()
      reversed.append(0x0A)
    }
    return reversed.reversed()
  }

  static func varint(_ value: UInt64) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  /// The same bytes again and again, as many as fit.
  static func repeated(_ pattern: [UInt8], bytes: Int = 4 * 1024 * 1024 - 16) -> [UInt8] {
    Array(repeatElement(pattern, count: bytes / pattern.count).joined())
  }

  /// Zeros in zlib's format, about 1,000 times smaller.
  static func bomb(bytes: Int) -> [UInt8] {
    let zeros = [UInt8](repeating: 0, count: bytes)
    var length = compressBound(uLong(bytes))
    var target = [UInt8](repeating: 0, count: Int(length))
    let code = compress2(&target, &length, zeros, uLong(bytes), Z_BEST_COMPRESSION)
    return code == Z_OK ? Array(target.prefix(Int(length))) : []
  }

  static func garbage(_ random: inout SeededGenerator, _ counts: ClosedRange<Int> = 1...2_000) -> [UInt8] {
    (0..<Int.random(in: counts, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  /// Frames whose headers are nearly right.
  static func wildFrames(_ random: inout SeededGenerator) -> [UInt8] {
    (0..<Int.random(in: 1...20, using: &random)).flatMap { number in
      let methods = TidemarkWire.Method.allCases.map(\.rawValue) + [0, 9_999]
      let isCall = Bool.random(using: &random)
      return Frame(
        raw: isCall ? FrameType.call.rawValue : UInt8.random(in: 1...9, using: &random),
        flags: FrameFlags(
          rawValue: isCall ? [0, 1, 3, 5, 8].randomElement(using: &random) ?? 1 : UInt8.random(in: 0...15, using: &random)),
        aux: methods.randomElement(using: &random) ?? 1, stream: UInt32(number) * 2 + 1, garbage(&random, 0...100)
      ).bytes()
    }
  }
}
