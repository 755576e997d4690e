import TidemarkWire

#if canImport(Glibc)
  import Glibc
#endif

/// The target that the environment names; the fuzzer runs one at a time.
private let target = getenv("FUZZ_TARGET").flatMap { FuzzTarget(rawValue: String(cString: $0)) }
private nonisolated(unsafe) let arena = MessageArena()

/// Called by libFuzzer with each input, always on the same thread.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let target else { fatalError("FUZZ_TARGET names none of \(FuzzTarget.allCases.map(\.rawValue))") }
  if let broken = target.run(UnsafeRawBufferPointer(start: start, count: count), using: arena) { fatalError(broken) }
  return 0
}
