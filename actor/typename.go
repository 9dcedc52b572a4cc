package actor

import (
	"fmt"
	"reflect"
)

// typeName is how log lines speak of a message: its content may be private.
func typeName(message any) string { return fmt.Sprintf("%T", message) }

func typeOf[T any]() string { return reflect.TypeFor[T]().String() }
