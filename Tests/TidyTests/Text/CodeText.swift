/// Swift source with comments and the content of string literals blanked, line by line: what is left is code.
///
/// Code in interpolations is kept. Regex literals are not known; none of the rules needs them to be.
struct CodeText {
  /// The code of each line.
  let lines: [String]

  init(_ text: String) {
    var scanner = Scanner(Array(text.unicodeScalars))
    scanner.run()
    lines = scanner.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  private struct Scanner {
    /// What the scanner is inside of.
    private enum Place {
      case code
      /// Code in an interpolation, with the number of open parentheses.
      case interpolation(Int)
      case string(hashes: Int, isMultiline: Bool)
    }

    private let input: [Unicode.Scalar]
    private var position = 0
    private var places: [Place] = [.code]
    var output = ""

    init(_ input: [Unicode.Scalar]) { self.input = input }

    mutating func run() {
      while position < input.count {
        if case .string(let hashes, let isMultiline) = places[places.count - 1] {
          scanString(hashes, isMultiline)
        } else {
          scanCode()
        }
      }
    }

    private func isAt(_ text: String) -> Bool {
      let scalars = Array(text.unicodeScalars)
      return position + scalars.count <= input.count && input[position..<position + scalars.count].elementsEqual(scalars)
    }

    private mutating func keep(_ count: Int = 1) {
      for scalar in input[position..<min(position + count, input.count)] { output.unicodeScalars.append(scalar) }
      position += count
    }

    private mutating func skip() {
      if input[position] == "\n" { output += "\n" }
      position += 1
    }

    private mutating func scanCode() {
      if isAt("//") {
        while position < input.count, input[position] != "\n" { position += 1 }
      } else if isAt("/*") {
        skipBlockComment()
      } else if let hashes = openingHashes() {
        position += hashes
        let isMultiline = isAt("\"\"\"")
        position += isMultiline ? 3 : 1
        output += "\""
        places.append(.string(hashes: hashes, isMultiline: isMultiline))
      } else {
        if case .interpolation(let depth) = places[places.count - 1] {
          if input[position] == "(" { places[places.count - 1] = .interpolation(depth + 1) }
          if input[position] == ")" {
            if depth == 1 { places.removeLast() } else { places[places.count - 1] = .interpolation(depth - 1) }
          }
        }
        keep()
      }
    }

    private mutating func skipBlockComment() {
      var depth = 0
      repeat {
        if isAt("/*") {
          depth += 1
          position += 2
        } else if isAt("*/") {
          depth -= 1
          position += 2
        } else {
          skip()
        }
      } while depth > 0 && position < input.count
    }

    /// The number of `#` before the quote that opens a string here; `nil` when none opens.
    private func openingHashes() -> Int? {
      var index = position
      while index < input.count, input[index] == "#" { index += 1 }
      return index < input.count && input[index] == "\"" ? index - position : nil
    }

    private mutating func scanString(_ hashes: Int, _ isMultiline: Bool) {
      let pounds = String(repeating: "#", count: hashes)
      if isAt("\\" + pounds + "(") {
        position += hashes + 1
        keep()
        places.append(.interpolation(1))
      } else if isAt("\\" + pounds) {
        position += 1 + hashes
        if position < input.count { skip() }
      } else if isAt((isMultiline ? "\"\"\"" : "\"") + pounds) {
        position += (isMultiline ? 3 : 1) + hashes
        output += "\""
        places.removeLast()
      } else {
        // A line's end closes a one-line string that the scanner misread, so one surprise does not hide the rest of the file.
        if input[position] == "\n", !isMultiline { places.removeLast() }
        skip()
      }
    }
  }
}
