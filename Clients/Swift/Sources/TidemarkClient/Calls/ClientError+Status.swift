import TidemarkCore
public import TidemarkWire

extension ClientError {
  /// The error that a status stands for: the one place that decides it.
  public init(_ status: RPCStatus) {
    let code: Code =
      switch status.code {
      case .ok: .protocolError
      case .cancelled: .cancelled
      case .unknown, .internal, .dataLoss: .internalError
      case .invalidArgument, .outOfRange: .invalidArgument
      case .deadlineExceeded: .deadlineExceeded
      case .notFound: .notFound
      case .alreadyExists: .alreadyExists
      case .permissionDenied: .permissionDenied
      case .resourceExhausted: .resourceExhausted
      case .failedPrecondition, .aborted: .failedPrecondition
      case .unimplemented: .unimplemented
      case .unavailable: .unavailable
      case .unauthenticated: .unauthenticated
      }
    let message = status.message.isEmpty ? "The server answered \(status.code.name)." : status.message
    self.init(
      code, message, reason: status.reason, violations: status.violations, retryAfter: status.retryAfter)
  }
}

extension RPCStatus {
  /// True when the server says that nothing was executed, so that sending the call again is safe.
  var isNotExecuted: Bool { reasons.contains("NOT_EXECUTED") }

  /// Why, in a stable word; `nil` when the server did not say.
  var reason: String? { reasons.first }

  private var reasons: [String] {
    details.filter { $0.typeURL.hasSuffix("/google.rpc.ErrorInfo") }
      .compactMap { detail in StatusField.all(of: detail.value).first { $0.number == 1 }?.text }
  }

  /// The pause the server asks for (`google.rpc.RetryInfo`); `nil` for none.
  var retryAfter: Duration? {
    guard let detail = details.first(where: { $0.typeURL.hasSuffix("/google.rpc.RetryInfo") }),
      let delay = StatusField.all(of: detail.value).first(where: { $0.number == 1 })
    else { return nil }
    var duration = Duration.zero
    for part in StatusField.all(of: delay.bytes) {
      // A day is more than anybody waits, and keeps the sum in range.
      let amount = min(part.varint, 86_400_000_000_000)
      if part.number == 1 { duration += .seconds(Int64(min(amount, 86_400))) }
      if part.number == 2 { duration += .nanoseconds(Int64(amount)) }
    }
    return duration
  }

  /// The broken rules (`google.rpc.BadRequest`).
  var violations: [Violation] {
    guard let detail = details.first(where: { $0.typeURL.hasSuffix("/google.rpc.BadRequest") }) else { return [] }
    return StatusField.all(of: detail.value).filter { $0.number == 1 }.map { entry in
      let parts = StatusField.all(of: entry.bytes)
      let field = parts.first { $0.number == 1 }.map { $0.text }.flatMap { FieldPath($0) }
      let text = parts.first { $0.number == 2 }.map { $0.text } ?? ""
      // The server writes `rule: sentence`.
      let colon = text.firstIndex(of: ":") ?? text.startIndex
      let message = text[colon...].drop { $0 == ":" || $0 == " " }
      return Violation(field: field, rule: String(text[..<colon]), message: String(message))
    }
  }
}

/// One field of a status detail: enough of protobuf to read the three messages of google.rpc used here.
private struct StatusField {
  var number: UInt64
  var varint: UInt64 = 0
  var bytes: [UInt8] = []

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The fields up to the first that is malformed.
  static func all(of message: [UInt8]) -> [StatusField] {
    var fields: [StatusField] = []
    var rest = message[...]
    while let tag = readVarint(&rest) {
      var field = StatusField(number: tag >> 3)
      switch tag & 7 {
      case 0:
        guard let value = readVarint(&rest) else { return fields }
        field.varint = value
      case 2:
        guard let length = readVarint(&rest), length <= UInt64(rest.count) else { return fields }
        field.bytes = Array(rest.prefix(Int(length)))
        rest = rest.dropFirst(Int(length))
      default: return fields
      }
      fields.append(field)
    }
    return fields
  }

  private static func readVarint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 63, by: 7) {
      guard let byte = bytes.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }
}
