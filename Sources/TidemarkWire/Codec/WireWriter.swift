/// Appends the fields of one protobuf message. Fields that hold their default are left out, as proto3 does.
struct WireWriter {
  private(set) var bytes: [UInt8] = []

  init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// Appends a number field.
  mutating func write(_ number: UInt32, _ value: UInt64) {
    guard value != 0 else { return }
    writeVarint(UInt64(number) << 3)
    writeVarint(value)
  }

  /// Appends a number field.
  mutating func write(_ number: UInt32, _ value: UInt32) { write(number, UInt64(value)) }

  /// Appends a text field.
  mutating func write(_ number: UInt32, _ value: String) {
    guard !value.isEmpty else { return }
    writeAlways(number, value.utf8)
  }

  /// Appends a bytes field.
  mutating func write(_ number: UInt32, _ value: [UInt8]) {
    guard !value.isEmpty else { return }
    writeAlways(number, value)
  }

  /// Appends a length-delimited field also when it is empty: an element of a list or a sub-message.
  mutating func writeAlways(_ number: UInt32, _ value: some Collection<UInt8>) {
    writeVarint(UInt64(number) << 3 | 2)
    writeVarint(UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  private mutating func writeVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }
}
