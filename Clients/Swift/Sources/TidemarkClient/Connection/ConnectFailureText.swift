internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Says in words why no connection came about.
enum ConnectFailureText {
  static func make(_ error: any Error) -> String {
    guard let failure = error as? NIOConnectionError else { return "\(error)" }
    if let refused = failure.connectionErrors.lazy.compactMap({ $0.error as? IOError }).first {
      return String(cString: strerror(refused.errnoCode))
    }
    if failure.dnsAError != nil || failure.dnsAAAAError != nil { return "the name is not known" }
    return "no connection came about in time"
  }
}
