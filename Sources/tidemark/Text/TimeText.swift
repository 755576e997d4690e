import TidemarkCore

/// Instants as text: RFC 3339, always in UTC when written.
enum TimeText {
  /// Writes `2025-01-31T09:30:00Z`, with a fraction of up to six digits when there is one.
  static func format(_ instant: Timestamp) -> String {
    let (seconds, micros) = floorDivide(instant.rawValue, 1_000_000)
    let (days, ofDay) = floorDivide(seconds, 86_400)
    let date = civil(fromDays: days)
    var text = "\(pad(date.year, 4))-\(pad(date.month, 2))-\(pad(date.day, 2))"
    text += "T\(pad(ofDay / 3_600, 2)):\(pad(ofDay / 60 % 60, 2)):\(pad(ofDay % 60, 2))"
    if micros != 0 {
      var fraction = pad(micros, 6)
      while fraction.hasSuffix("0") { fraction.removeLast() }
      text += "." + fraction
    }
    return text + "Z"
  }

  /// Reads `2025-01-31`, `2025-01-31T09:30Z`, `2025-01-31T09:30:00.5+02:00`; a blank may stand for the `T`. A date alone is its
  /// midnight in UTC; a time needs its offset.
  ///
  /// - Returns: `nil` when the text is none of these, or not between the years 1 and 9999.
  static func parse(_ text: String) -> Timestamp? {
    var reader = Reader(bytes: Array(text.utf8))
    guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
      let day = reader.number(2), (1...12).contains(month), day >= 1, day <= daysIn(month, year)
    else { return nil }
    var micros = days(fromYear: year, month: month, day: day) * 86_400_000_000
    if !reader.isAtEnd {
      guard reader.skip("T") || reader.skip("t") || reader.skip(" "), let time = reader.time() else { return nil }
      micros += time
      guard let offset = reader.offset(), reader.isAtEnd else { return nil }
      micros -= offset
    }
    let instant = Timestamp(rawValue: micros)
    return Timestamp.validRange.contains(instant) ? instant : nil
  }

  private struct Reader {
    let bytes: [UInt8]
    var position = 0

    var isAtEnd: Bool { position == bytes.count }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
      guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
      position += 1
      return true
    }

    mutating func digit() -> Int64? {
      guard position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 else { return nil }
      defer { position += 1 }
      return Int64(bytes[position]) - 0x30
    }

    mutating func number(_ digits: Int) -> Int64? {
      var value: Int64 = 0
      for _ in 0..<digits {
        guard let digit = digit() else { return nil }
        value = value * 10 + digit
      }
      return value
    }

    /// The microseconds of a time of day. What is finer than a microsecond must be zero.
    mutating func time() -> Int64? {
      guard let hour = number(2), skip(":"), let minute = number(2), hour < 24, minute < 60 else { return nil }
      var micros = (hour * 60 + minute) * 60_000_000
      guard skip(":") else { return micros }
      guard let second = number(2), second < 60 else { return nil }
      micros += second * 1_000_000
      guard skip(".") else { return micros }
      var unit: Int64 = 100_000
      var digits = 0
      while let digit = digit() {
        guard unit > 0 || digit == 0 else { return nil }
        micros += digit * unit
        unit /= 10
        digits += 1
      }
      return digits > 0 ? micros : nil
    }

    /// The microseconds by which the written time is ahead of UTC.
    mutating func offset() -> Int64? {
      if skip("Z") || skip("z") { return 0 }
      let sign: Int64
      if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
      guard let hour = number(2), skip(":"), let minute = number(2), hour < 24, minute < 60 else { return nil }
      return sign * (hour * 60 + minute) * 60_000_000
    }
  }

  private static func daysIn(_ month: Int64, _ year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Days since 1970-01-01 of a date of the proleptic Gregorian calendar. Years begin in March here, so that the leap day is
  /// the last.
  private static func days(fromYear year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let (era, ofEra) = floorDivide(shifted, 400)
    let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
  }

  private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, ofEra) = floorDivide(days + 719_468, 146_097)
    let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * ofYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - (153 * shifted + 2) / 5 + 1)
  }

  private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  private static func pad(_ value: Int64, _ digits: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}
