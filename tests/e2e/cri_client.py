"""One call of the Container Runtime Interface: cri_client.py SOCKET METHOD < REQUEST > RESPONSE, both as JSON.

Exit code 1 with the server's own words on stderr when it refuses; as the kubelet would put them into a pod's events.
"""

import sys

import cri_pb2  # made by protoc from cri.proto
import grpc
from google.protobuf import json_format


def main() -> int:
    socket, method = sys.argv[1:]
    request = json_format.Parse(sys.stdin.read() or "{}", getattr(cri_pb2, method + "Request")())
    response_type = getattr(cri_pb2, method + "Response")
    with grpc.insecure_channel("unix://" + socket) as channel:
        call = channel.unary_unary(
            "/runtime.v1.RuntimeService/" + method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=response_type.FromString,
        )
        try:
            response = call(request, timeout=50)
        except grpc.RpcError as error:
            print(error.details(), file=sys.stderr)
            return 1
    print(
        json_format.MessageToJson(
            response, including_default_value_fields=True, preserving_proto_field_name=True
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
