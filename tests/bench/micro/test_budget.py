"""What a request takes, from socket to socket, against nginx that says the same without a look."""
import request_cost


def test_a_request_keeps_to_its_part_of_nginx():
    assert request_cost.budget()
