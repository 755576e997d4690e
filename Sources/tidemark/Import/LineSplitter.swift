/// Splits bytes into lines, piece by piece. Holds one line at most.
struct LineSplitter {
  struct Line: Equatable {
    var bytes: [UInt8]
    /// The number of the line, from 1.
    var number: Int
  }

  /// The largest line, in bytes.
  static let lineBytesMax = 4 * 1024 * 1024

  private var rest: [UInt8] = []
  private var number = 1

  /// Takes the next bytes of the input.
  ///
  /// - Returns: the lines that end in them, without newline and without those that are blank.
  mutating func split(_ bytes: some Sequence<UInt8>) throws(CSVParser.Failure) -> [Line] {
    var lines: [Line] = []
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        endLine(&lines)
      } else {
        rest.append(byte)
        guard rest.count <= LineSplitter.lineBytesMax else {
          throw CSVParser.Failure(line: number, what: "a line is larger than 4 MiB")
        }
      }
    }
    return lines
  }

  /// Ends the input.
  mutating func finish() -> [Line] {
    var lines: [Line] = []
    endLine(&lines)
    return lines
  }

  private mutating func endLine(_ lines: inout [Line]) {
    if number == 1, rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest.removeFirst(3) }
    if rest.last == UInt8(ascii: "\r") { rest.removeLast() }
    if !rest.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { lines.append(Line(bytes: rest, number: number)) }
    rest.removeAll(keepingCapacity: true)
    number += 1
  }
}
