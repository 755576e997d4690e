import TidemarkCore

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Writes scalars as JSON (RFC 8259). Bytes become Base64, timestamps microseconds since 1970.
enum JSONWriter {
  /// - Parameter scalar: no double that is not finite.
  static func write(_ scalar: Scalar, to text: inout String) {
    switch scalar {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .int(let value): text += String(value)
    // The shortest digits that read as the same number.
    case .double(let bits): text += "\(Double(bitPattern: bits))"
    case .string(let value): write(value, to: &text)
    case .bytes(let bytes): write(Data(bytes).base64EncodedString(), to: &text)
    case .timestamp(let instant): text += String(instant.rawValue)
    }
  }

  private static func write(_ value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

/// Dates as timestamps.
enum DateCoding {
  /// The microsecond next to a date; `nil` outside the years 1 to 9999.
  static func timestamp(_ date: Date) -> Timestamp? {
    let microseconds = (date.timeIntervalSince1970 * 1e6).rounded()
    guard microseconds.isFinite, abs(microseconds) < 9e18 else { return nil }
    let timestamp = Timestamp(rawValue: Int64(microseconds))
    return Timestamp.validRange.contains(timestamp) ? timestamp : nil
  }

  static func date(_ timestamp: Timestamp) -> Date {
    // Apart, so that nothing of the microseconds is lost before they are few.
    let (seconds, rest) = timestamp.rawValue.quotientAndRemainder(dividingBy: 1_000_000)
    return Date(timeIntervalSince1970: Double(seconds) + Double(rest) / 1e6)
  }
}
