import Testing

@testable import TidemarkTransport

@Suite struct ReceiveCreditTests {
  @Test func creditHeldByUnreadMessagesDoesNotStarveTheOthers() {
    var credit = ReceiveCredit(100)
    // 70 bytes belong to messages that nobody takes.
    #expect(credit.consume(70))
    // The other streams live on the 30 that are left, again and again.
    for _ in 0..<10 {
      #expect(credit.consume(10))
      let announced = credit.giveBack(10)
      #expect(credit.available + Int(announced) > 0)
      _ = credit.giveBack(0)
      #expect(credit.available >= 10)
    }
  }

  @Test func smallAmountsAreCollected() {
    var credit = ReceiveCredit(100)
    #expect(credit.consume(10))
    #expect(credit.giveBack(10) == 0)
    #expect(credit.consume(45))
    #expect(credit.giveBack(45) == 55)
    #expect(credit.available == 100)
  }
}
