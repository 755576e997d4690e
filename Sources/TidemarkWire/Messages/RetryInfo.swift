extension RPCStatus.Detail {
  /// A `google.rpc.RetryInfo`: when to come back.
  public static func retryAfter(milliseconds: UInt64) -> RPCStatus.Detail {
    var duration = WireWriter(capacity: 12)
    duration.write(1, milliseconds / 1_000)
    duration.write(2, milliseconds % 1_000 * 1_000_000)
    var info = WireWriter(capacity: 16)
    info.writeAlways(1, duration.bytes)
    return RPCStatus.Detail(typeURL: "type.googleapis.com/google.rpc.RetryInfo", value: info.bytes)
  }
}
